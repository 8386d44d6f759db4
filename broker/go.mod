module github.com/snd-rental/yardline/broker

go 1.26
