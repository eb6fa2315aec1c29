# 401 lines of trades: who | what | stock (0-99) | count (0-999).
RANDOM=${STOCK_SEED:-17}
who=(Alice Bob)
what=(Purchase Sell)
for _ in {1..401}; do
    echo "${who[RANDOM % 2]} | ${what[RANDOM % 2]} | $((RANDOM % 100)) | $((RANDOM % 1000))"
done >> /usr/stock.log
