module github.com/snd-rental/yardline/e2e

go 1.26.0

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/snd-rental/yardline/broker v0.0.0
	github.com/snd-rental/yardline/shared v0.0.0
	github.com/snd-rental/yardline/wasmclient v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/alexedwards/scs/v2 v2.9.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace (
	github.com/snd-rental/yardline/broker => ../broker
	github.com/snd-rental/yardline/shared => ../shared
	github.com/snd-rental/yardline/wasmclient => ../wasmclient
)
