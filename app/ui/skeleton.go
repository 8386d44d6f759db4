package ui

import "github.com/maxence-charriere/go-app/v10/pkg/app"

// The numbers of placeholders. Most users see skeletonFigures figures.
const (
	skeletonFigures = 11
	skeletonRows    = 6
)

// SkeletonPage returns the page that the app shows until it has data. The static shell that the build makes shows it
// too, so that loading looks like the app from the first paint.
func SkeletonPage() app.UI {
	return El("div", "page waiting",
		SkeletonFigures(),
		El("div", "card skeleton skeleton-tall"),
	).Aria("busy", "true")
}

// SkeletonFigures returns placeholders that take as much room as the figures of most users, so that nothing moves when
// the figures come.
func SkeletonFigures() app.UI {
	figures := Each(skeletonFigures, func(int) app.UI { return El("div", "card figure skeleton") })
	return El("div", "figures", figures).Aria("busy", "true")
}

// SkeletonRows returns the placeholders of a list that is being loaded.
func SkeletonRows() app.UI {
	rows := Each(skeletonRows, func(int) app.UI { return El("div", "skeleton") })
	return El("div", "skeleton-rows", rows).Aria("hidden", "true")
}
