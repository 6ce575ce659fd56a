"""Publish what a fleet records to MQTT: python publish.py DATABASE-URL BROKER-HOST BROKER-PORT

A recipe for publishing further: read the new rows of the history, in order, and publish each. Consumers
of one group share the messages with MQTT 5's shared subscriptions, so that each message is handled once:
``$share/GROUP/navien/+/status``. The same loop serves Kafka or NATS: only ``publish`` changes.
"""

import asyncio
import json
import sys
from datetime import datetime, timezone
from typing import Any

import aiomqtt
import psycopg
from psycopg.rows import dict_row

#: Rows with a time before now by so much are read: a status is stored within a second, so none is missed.
SETTLE_SECONDS = 5.0
NEW_ROWS = """
SELECT * FROM v_status
WHERE time > %(since)s AND time <= now() - make_interval(secs => %(settle)s) ORDER BY time
"""


async def rows(url: str, since: datetime) -> Any:
    """Yield each row after a time once, for ever."""
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True, row_factory=dict_row)
    async with connection:
        while True:
            found = await connection.execute(NEW_ROWS, {"since": since, "settle": SETTLE_SECONDS})
            for row in await found.fetchall():
                since = row["time"]
                yield row
            await asyncio.sleep(1)


async def main(url: str, host: str, port: int, since: datetime) -> None:
    async with aiomqtt.Client(host, port, protocol=aiomqtt.ProtocolVersion.V5) as broker:
        async for row in rows(url, since):
            topic = f"navien/{row['mac']}/status"
            await broker.publish(topic, json.dumps(row, default=str), qos=1)


if __name__ == "__main__":
    now = datetime.now(timezone.utc)
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), now))
