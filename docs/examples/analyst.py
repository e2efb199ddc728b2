"""Asks what analysts ask, with clickhouse-connect (pip install clickhouse-connect).

python3 analyst.py HOST:PORT           up's address for analysts, 127.0.0.1:8124
"""
import sys

import clickhouse_connect

host, _, port = sys.argv[1].rpartition(":")
client = clickhouse_connect.get_client(host=host, port=int(port), database="aftershock")

print("tables:", ", ".join(name for (name,) in client.query("SHOW TABLES").result_rows))

# Missing is NULL, and so None.
top = client.query(
    "SELECT signature, count() AS crashes, uniqExact(install_time) AS installs FROM crashes"
    " WHERE product = {product:String} GROUP BY signature ORDER BY crashes DESC, signature LIMIT 5",
    parameters={"product": "orchard"},
)
for signature, crashes, installs in top.result_rows:
    print(f"{crashes:6} {installs:6}  {signature}")

for day, crashes in client.query("SELECT day, count() FROM crashes GROUP BY day ORDER BY day").result_rows:
    print(day, crashes)

lacking = client.query(
    "SELECT module, count() AS crashes FROM crashes ARRAY JOIN missing_symbols AS module GROUP BY module ORDER BY crashes DESC LIMIT 5"
)
print(lacking.column_names, lacking.result_rows)
