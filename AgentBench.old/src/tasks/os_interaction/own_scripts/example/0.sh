cat > /usr/local/bin/calc <<'PROGRAM'
#!/bin/bash
python3 -c "print('%.6f' % ($*))"
PROGRAM
chmod +x /usr/local/bin/calc
