# `calc EXPRESSION` agrees with Python within 1e-5, for thirty expressions.
agrees() {
    [ "$(python3 -c 'import sys
print(abs(float(sys.argv[2]) - float("%.6f" % eval(sys.argv[1]))) < 1e-5)' "$1" "$(calc "$1")" 2>/dev/null)" = True ]
}
for a in 3 7.5 12 18 24; do
    for rest in '+ (9 * 4) - 7' '* (16 - 12) + 2.5' '/ (5 + 1) - 8'; do
        agrees "$a $rest" || exit 1
        agrees "($a + 1) $rest" || exit 1
    done
done
exit 0
