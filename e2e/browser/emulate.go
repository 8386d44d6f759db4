package browser

import "github.com/chromedp/cdproto/emulation"

// Zone gives the tab a time zone, such as Europe/Berlin.
func (b *Tab) Zone(name string) {
	b.t.Helper()
	call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
}

// Print shows the page as it is printed, with the system's scheme.
func (b *Tab) Print(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}
