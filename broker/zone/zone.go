//go:build !js

package zone

import "time"

// Load returns the zone of a name such as Europe/Berlin.
func Load(name string) (*time.Location, error) { return time.LoadLocation(name) }
