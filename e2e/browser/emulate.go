package browser

import "github.com/chromedp/cdproto/emulation"

// SetTimeZone sets the tab's time zone, such as Europe/Berlin.
func (tab *Tab) SetTimeZone(name string) {
	tab.t.Helper()
	call(tab, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
}

// EmulatePrint shows the page as it is printed. scheme is the color scheme of the system, "light" or "dark".
func (tab *Tab) EmulatePrint(scheme string) {
	tab.t.Helper()
	call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print",
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}
