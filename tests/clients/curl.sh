#!/usr/bin/env bash
# Reads a run with curl: URL; one line of JSON for each event. It asks again for what comes after the last whole one.
url=$1 last=0
while true; do
  while IFS= read -r line; do
    case $line in
      "event: "*) kind=${line#event: } ;;
      "data: "*) data=${line#data: } ;;
      "id: "*) id=${line#id: } ;;
      "")
        last=$id
        [[ $data =~ \"id\":\"([0-9]+)\" ]]
        echo "[\"$id\", \"$kind\", \"${BASH_REMATCH[1]}\"]"
        if [ "$kind" = complete ]; then exit; fi
        ;;
    esac
  done < <(curl --silent --no-buffer -H 'Accept: text/event-stream' -H "Last-Event-ID: $last" "$url")
done
