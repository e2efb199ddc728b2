#!/usr/bin/env python3
"""Appends a crash to crash.raw, as docs/raw-events.md asks of collectors that are not Aftershock's.

usage: raw_crash.py BROKERS REGISTRY DUMP [NAME=VALUE ...]
needs: pip install confluent-kafka fastavro
"""
import datetime
import hashlib
import io
import json
import struct
import sys
import urllib.request
import uuid

import fastavro
from confluent_kafka import Producer

INLINE_MAX = 64 << 10  # what is larger goes to the blob store first: see "Claim checks"

brokers, registry, path, *annotations = sys.argv[1:]
with urllib.request.urlopen(f"{registry}/subjects/crash.raw-value/versions/latest") as answer:
    newest = json.load(answer)
schema = fastavro.parse_schema(json.loads(newest["schema"]))
with open(path, "rb") as file:
    dump = file.read()
if len(dump) > INLINE_MAX:
    sys.exit(f"{path}: more than {INLINE_MAX} bytes")

now = datetime.datetime.now(datetime.timezone.utc)
milliseconds = int(now.timestamp() * 1000)
# A random UUID whose last seven characters are the throttle digit and the day.
crash_id = str(uuid.uuid4())[:-7] + "0" + now.strftime("%y%m%d")
event = {
    "crash_id": crash_id,
    "received_at": milliseconds,
    "kind": "report",
    "annotations": dict(a.split("=", 1) for a in annotations),
    "annotation_overflow": [],
    "dumps": [{
        "name": "upload_file_minidump", "size": len(dump), "sha256": hashlib.sha256(dump).digest(),
        "encoding": "none", "inline": dump, "blob": None,
    }],
    "throttle": {"rule": "accept_everything", "rate": 1.0, "result": "accept"},
    "notes": [],
    "payload": {"kind": "multipart", "gzip": False, "size": len(dump), "user_agent": "raw_crash.py"},
    "envelope": None,
}
value = io.BytesIO()
value.write(struct.pack(">bI", 0, newest["id"]))  # Confluent's wire format
fastavro.schemaless_writer(value, schema, event)

failed = []
producer = Producer({
    "bootstrap.servers": brokers, "acks": "all", "enable.idempotence": True,
    "partitioner": "murmur2_random",  # Kafka's own, which librdkafka's default is not
})
producer.produce("crash.raw", key=crash_id, value=value.getvalue(), timestamp=milliseconds,
                 on_delivery=lambda error, _: failed.append(error) if error else None)
if producer.flush(30) or failed:
    sys.exit(f"not appended: {failed}")
print(f"CrashID=bp-{crash_id}")  # only now: it is a promise
