# `count FOLDER` tells the regular files below a folder: links are followed, hidden names are left out, as a shell's * does.
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
for folder in /usr/local/bin /root /bin /lib /dev /usr/include; do
    [ "$(count "$folder")" = "$(below "$folder")" ] || exit 1
done
exit 0
