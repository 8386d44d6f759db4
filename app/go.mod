module github.com/snd-rental/yardline/app

go 1.26.0

require (
	github.com/snd-rental/yardline/shared v0.0.0
	github.com/snd-rental/yardline/wasmclient v0.0.0
)

require (
	github.com/andybalholm/brotli v1.2.8 // indirect
	github.com/maxence-charriere/go-app/v10 v10.1.11 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	golang.org/x/net v0.62.0 // indirect
)

replace (
	github.com/snd-rental/yardline/shared => ../shared
	github.com/snd-rental/yardline/wasmclient => ../wasmclient
)
