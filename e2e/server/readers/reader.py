# Reads a stream with Python's package requests, as the manual of requests shows it, and prints the data of each event.
# The package asks for gzip by itself. The second argument is the encoding that the stream must have, gzip or identity.
import os
import sys
import time

import requests

headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
if sys.argv[2] == "identity":
    headers["Accept-Encoding"] = "identity"
while True:
    try:
        with requests.get(sys.argv[1], stream=True, headers=headers, timeout=(5, 60)) as response:
            response.raise_for_status()
            if response.headers.get("Content-Encoding", "identity") != sys.argv[2]:
                sys.exit("the stream does not have the encoding " + sys.argv[2])
            for line in response.iter_lines(decode_unicode=True):
                if line.startswith("id: "):
                    headers["Last-Event-ID"] = line[4:]
                if line.startswith("data: "):
                    print(line[6:], flush=True)
    except requests.RequestException as error:
        print(error, file=sys.stderr)
    time.sleep(0.2)
