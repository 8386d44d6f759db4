package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/snd-rental/yardline/broker/httpapi"
)

// debugServer serves profiles and metrics to who is on this machine.
type debugServer struct {
	http.Server
	listener net.Listener
}

func openDebug(listen string, metrics http.Handler) (*debugServer, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	// A page of another site could make its own name point here.
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !httpapi.LoopbackHost(r.Host) {
			http.Error(w, "use a name of this machine", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return &debugServer{http.Server{Handler: own, ReadHeaderTimeout: 10 * time.Second}, listener}, nil
}

// run serves until ctx ends.
func (d *debugServer) run(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { d.Close() })()
	_ = d.Serve(d.listener) // ends with Close
}

// Close stops it, also where it never ran.
func (d *debugServer) Close() error {
	err := d.Server.Close()
	if closed := d.listener.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}
