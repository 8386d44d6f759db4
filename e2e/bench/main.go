// Command bench compares Yardline with other servers of event streams, all measured by
// yardline bench on this machine. make bench runs it.
//
// It starts each server anew for each measurement, takes the servers in turn in each
// round, and prints one table with the medians. The reference is a program in C that
// writes each event to each subscriber by one write(): goals for CPU time are ratios to
// it in the same round, because times differ between machines, and between hours.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options has the command line.
type options struct {
	yardline, peers, reference string // programs
	page                       string // the document that has the table; empty prints it alone
	results                    string // the file for the report of each run
	only                       string // the begin of the names of the measurements to do; empty means all
	rounds                     int
	scale                      float64 // of subscribers and events; 1 is the full form
}

func main() {
	var o options
	flag.StringVar(&o.yardline, "yardline", "", "the `program` yardline")
	flag.StringVar(&o.peers, "peers", "", "the `program` of the package peers")
	flag.StringVar(&o.reference, "reference", "", "the `program` to compile from reference/reference.c")
	flag.StringVar(&o.page, "page", "", "the `document` to write the table into, after a run in full")
	flag.StringVar(&o.results, "results", "", "the `file` for the reports of all runs, a line of JSON each")
	flag.IntVar(&o.rounds, "rounds", fullRounds, "how many `rounds` to run")
	flag.Float64Var(&o.scale, "scale", 1, "what `part` of the subscribers and events to use")
	flag.StringVar(&o.only, "only", "", "do only the measurements whose names begin with this `text`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// fullRounds is the number of rounds of the full form.
const fullRounds = 3

// run does all measurements and prints the table.
func run(ctx context.Context, o options) error {
	if o.rounds < 1 || o.scale <= 0 || o.scale > 1 {
		return errors.New("there must be at least one round, and a scale above 0 and up to 1")
	}
	machine, err := describeMachine()
	if err != nil {
		return err
	}
	fmt.Println(machine)
	plan, notes := limitStreams(scaleMeasurements(selectMeasurements(o.only), o.scale))
	if len(plan) == 0 {
		return fmt.Errorf("no measurement begins with %q", o.only)
	}
	servers, note := availableServers(ctx, o)
	notes = append(notes, note...)
	for _, n := range notes {
		fmt.Println("note:", n)
	}
	all, err := measureAll(ctx, o, plan, servers)
	if err != nil {
		return err
	}
	table := renderTable(rowsOf(plan), all)
	fmt.Printf("\n%s\n", table)
	if o.page == "" || o.only != "" || o.scale != 1 || o.rounds < fullRounds {
		return nil
	}
	text := fmt.Sprintf("%s, %s. Medians of %d interleaved rounds.\n", time.Now().UTC().Format("2 January 2006"),
		machine, o.rounds)
	for _, n := range notes {
		text += "\n" + n + "\n"
	}
	return writeSection(o.page, text+"\n"+table)
}

// measureAll does all measurements, round after round.
func measureAll(ctx context.Context, o options, plan []measurement, servers []server) (results, error) {
	all := results{}
	log := json.NewEncoder(os.Stderr)
	if o.results != "" {
		if err := os.MkdirAll(filepath.Dir(o.results), 0o755); err != nil {
			return nil, err
		}
		f, err := os.Create(o.results)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		log = json.NewEncoder(f)
	}
	began := time.Now()
	for round := range o.rounds {
		for _, m := range plan {
			for i := range servers {
				s := servers[(i+round)%len(servers)] // no server is always the first
				if m.yardlineOnly && s.name != yardlineName {
					continue
				}
				report, err := measureOnce(ctx, o, m, s)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", m.name, s.name, err)
				}
				all.add(m.name, s.name, report)
				fmt.Printf("%4.0f s  round %d  %-18s %-12s %s\n", time.Since(began).Seconds(), round+1, m.name, s.name,
					report.summary())
				line := map[string]any{"round": round + 1, "measurement": m.name, "server": s.name, "report": report}
				if err := log.Encode(line); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}
