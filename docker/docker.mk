# Images and services. Included by the Makefile; recipes are one line, the work is in agenttuning/containers.
# RUNTIME=docker|native forces one; without it a task runs in its image where that is built and current.
export RUNTIME BASE_IMAGE BUILD_NETWORK DOCKER

IN_IMAGE = $(KIT) images run $(if $(RUNTIME),--runtime $(RUNTIME))
# The model of serve-7b is agentlm-7b unless MODEL is given by the user (the Makefile's default is the embedded one).
GPU_FLAGS = $(if $(filter file,$(origin MODEL)),,--model $(MODEL)) $(if $(ENGINE),--engine $(ENGINE)) $(if $(REPLICAS),--replicas $(REPLICAS)) \
	$(if $(PORT),--port $(PORT)) $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT)) $(if $(GPUS),--gpus $(GPUS))
ALL_FLAGS = $(if $(TASKS),--tasks "$(TASKS)") $(if $(RUNTIME),--runtime $(RUNTIME)) $(if $(JOBS),--jobs $(JOBS))
IMAGE_NAMES := base $(notdir $(patsubst %/Dockerfile,%,$(wildcard $(addsuffix /Dockerfile,$(ALL_TASKS))))) data serve-cpu report

.PHONY: images base-image images-size $(addprefix image-,$(IMAGE_NAMES)) serve-7b serve-13b serve-70b stop logs ps \
	eval-all eval-held-in eval-held-out eval-general

##@ Images
images: setup ## Build the image of every task and stage [BASE_IMAGE= BUILD_NETWORK=host NO_CACHE=1]
	@$(KIT) images build

image-NAME: ## Build one image
	@echo "write the image's name: make image-gsm8k (one of: $(IMAGE_NAMES))" && exit 2

$(addprefix image-,$(IMAGE_NAMES)): image-%: setup
	@$(KIT) images build $*

base-image: setup ## A Debian base image without any registry (root, debootstrap)
	@$(KIT) images base

images-size: setup ## Size and state of every image
	@$(KIT) images sizes

##@ Serve on GPUs
serve-7b: ## AgentLM-7B by text-generation-inference on port 30007 [REPLICAS= ENGINE=vllm CHECKPOINT=DIR MODEL= GPUS=0,1 PORT=]
serve-13b: ## AgentLM-13B on port 30013
serve-70b: ## AgentLM-70B on port 30070, four GPUs

serve-7b serve-13b serve-70b: serve-%: setup
	@$(KIT) serve-gpu $* $(GPU_FLAGS)

stop: ## Remove every container, network and volume of the kit; the cache of weights only with PURGE=1
	@$(KIT) stop $(if $(PURGE),--purge)

logs: ## Follow the logs of the kit's containers
	@$(KIT) logs

ps: ## The kit's containers
	@$(KIT) ps

##@ Evaluate everything
eval-all: setup ## Every task: several at once, resumable, one report [variables of eval-TASK, TASKS="a b", RUNTIME=]
	@$(KIT) eval-all $(EVAL_FLAGS) $(ALL_FLAGS)

eval-held-in: ## The held-in tasks
eval-held-out: ## The held-out tasks
eval-general: ## The general tasks

eval-held-in eval-held-out eval-general: eval-%: setup
	@$(KIT) eval-all --group $* $(EVAL_FLAGS) $(ALL_FLAGS)
