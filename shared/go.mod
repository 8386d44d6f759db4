module github.com/snd-rental/yardline/shared

go 1.26.0
