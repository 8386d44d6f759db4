module github.com/snd-rental/yardline/app

go 1.26.0
