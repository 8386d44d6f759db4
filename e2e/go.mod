module github.com/snd-rental/yardline/e2e

go 1.26.0
