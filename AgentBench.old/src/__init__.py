"""AgentBench's command line, client and output files, over the kit's runner."""
