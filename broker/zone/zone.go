//go:build !js

package zone

import "time"

// Load returns the time zone with a name such as Europe/Berlin. "" and UTC mean
// UTC.
func Load(name string) (*time.Location, error) { return time.LoadLocation(name) }
