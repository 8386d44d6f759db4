package projection_test

import (
	"fmt"
	"time"

	"github.com/snd-rental/yardline/shared/event"
	"github.com/snd-rental/yardline/shared/projection"
	"github.com/snd-rental/yardline/shared/wire"
)

// A state keeps the latest value of each field of an entity.
func Example() {
	state := projection.NewState("k3x9")
	now := time.Date(2026, 11, 23, 14, 32, 0, 0, time.UTC)
	for i, status := range []string{"reserved", "active"} {
		e, err := event.RentalStatusUpdated(123, status, "John Doe")
		if err != nil {
			fmt.Println(err)
			return
		}
		state.Apply(e.Stamp(fmt.Sprint("e-", i), now), wire.Cursor{Epoch: "k3x9", Seq: uint64(i + 1)})
	}
	rental := state.Get("rental/123")
	fmt.Println(string(rental.Fields.AppendJSON(nil)), rental.Seq)
	fmt.Println(state.Figures(now, projection.Installation{})["active_rentals"])
	// Output:
	// {"rental_id":123,"status":"active","customer":"John Doe"} 2
	// 1
}
