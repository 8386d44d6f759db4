module github.com/snd-rental/yardline/app

go 1.26.0

require (
	github.com/andybalholm/brotli v1.2.8
	github.com/google/uuid v1.6.0
	github.com/maxence-charriere/go-app/v10 v10.1.11
	github.com/snd-rental/yardline/shared v0.0.0
	github.com/snd-rental/yardline/wasmclient v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/net v0.62.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace (
	github.com/snd-rental/yardline/shared => ../shared
	github.com/snd-rental/yardline/wasmclient => ../wasmclient
)
