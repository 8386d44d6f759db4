package text

import "maps"

// english has every text of the app in English, by key. A text with a number has two keys, which
// end in .one and .other. The keys of names of the vocabulary begin with name.
var english = merge(englishShell, englishPages, englishAdmin)

// merge returns one map with the entries of all maps. A test finds keys that occur twice.
func merge(parts ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}
