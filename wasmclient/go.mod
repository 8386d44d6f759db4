module github.com/snd-rental/yardline/wasmclient

go 1.26.0
