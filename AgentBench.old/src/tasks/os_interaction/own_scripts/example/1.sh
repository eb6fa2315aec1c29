cat > /usr/local/bin/count <<'PROGRAM'
#!/bin/bash
below() {
    local path total=0
    for path in "$1"/*; do
        if [ -f "$path" ]; then
            total=$((total + 1))
        elif [ -d "$path" ]; then
            total=$((total + $(below "$path")))
        fi
    done
    echo "$total"
}
below "$1"
PROGRAM
chmod +x /usr/local/bin/count
