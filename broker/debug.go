package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/snd-rental/yardline/broker/httpapi"
)

// debugServer serves profiles and metrics to programs on this machine, without
// authentication.
type debugServer struct {
	http.Server
	listener net.Listener
}

// openDebug listens on an address. It serves nothing before run is called.
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
	// Another site could make a name of its own resolve to this machine, and its pages
	// could then read the answers. Such a request has that name as its host.
	loopbackOnly := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !httpapi.IsLoopbackHost(r.Host) {
			http.Error(w, "use a name of this machine", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return &debugServer{http.Server{Handler: loopbackOnly, ReadHeaderTimeout: headerTimeout}, listener}, nil
}

// run serves until ctx ends.
func (d *debugServer) run(ctx context.Context) {
	defer context.AfterFunc(ctx, func() { d.Close() })()
	_ = d.Serve(d.listener) // Close ends it.
}

// Close stops the server and closes its listener, which a server that never ran
// does not know.
func (d *debugServer) Close() error {
	err := d.Server.Close()
	if closed := d.listener.Close(); !errors.Is(closed, net.ErrClosed) {
		err = errors.Join(err, closed)
	}
	return err
}
