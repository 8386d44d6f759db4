#!/usr/bin/env bash
# Reads a stream with curl, and prints the data of each event. The second argument is the encoding that the stream must
# have, gzip or identity.
options=(-sSNi --fail -H "Authorization: Bearer $TOKEN")
if [ "$2" = gzip ]; then options+=(--compressed); fi
last=
while true; do
  encoding=identity
  while IFS= read -r line; do
    case $line in
      [Cc]ontent-[Ee]ncoding:*) encoding=${line#*: } encoding=${encoding%$'\r'} ;;
      "id: "*) last=${line#id: } ;;
      "data: "*)
        if [ "$encoding" != "$2" ]; then echo "the stream does not have the encoding $2" >&2; exit 1; fi
        printf '%s\n' "${line#data: }" ;;
    esac
  done < <(curl "${options[@]}" ${last:+-H "Last-Event-ID: $last"} "$1")
  sleep 0.2
done
