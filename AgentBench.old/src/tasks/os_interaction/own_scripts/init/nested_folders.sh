# folder1/folder2/.../folder10 here, an empty file echo-love in each; the fifth one is a program.
folder=.
for depth in {1..10}; do
    folder=$folder/folder$depth
    mkdir "$folder"
    : > "$folder/echo-love"
    if [ "$depth" = 5 ]; then
        printf '%s\n' 'echo "I love myself."' > "$folder/echo-love"
        chmod +x "$folder/echo-love"
    fi
done
