package browser

import "github.com/chromedp/cdproto/emulation"

// SetTimeZone sets the tab's time zone, such as Europe/Berlin.
func (b *Tab) SetTimeZone(name string) {
	b.t.Helper()
	call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
}

// EmulatePrint shows the page as it is printed. scheme is the color scheme of the system, "light" or "dark".
func (b *Tab) EmulatePrint(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}
