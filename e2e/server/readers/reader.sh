#!/usr/bin/env bash
# Reads a stream with curl, and prints the data of each event.
last=
while true; do
  while IFS= read -r line; do
    case $line in
      "id: "*) last=${line#id: } ;;
      "data: "*) printf '%s\n' "${line#data: }" ;;
    esac
  done < <(curl -sSN --fail -H "Authorization: Bearer $TOKEN" ${last:+-H "Last-Event-ID: $last"} "$1")
  sleep 0.2
done
