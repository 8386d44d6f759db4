package push

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"github.com/snd-rental/yardline/broker/loopback"
)

// PlaceholderContact is the contact of an installation that has named none.
const PlaceholderContact = "mailto:nobody@yardline.invalid"

// CheckContact returns an error where a contact is no mailto or https address
// (RFC 8292, section 2.1). Push services refuse everything that comes with
// such a contact.
func CheckContact(contact string) error {
	if domainOf(contact) == "" {
		return fmt.Errorf(
			"%q is no address: use mailto:you@company.example or https://company.example/contact",
			contact,
		)
	}
	return nil
}

// domainOf returns the domain of a contact, or "" where it is none.
func domainOf(contact string) string {
	if address, ok := strings.CutPrefix(contact, "mailto:"); ok {
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address { // with a name, brackets or blanks
			return ""
		}
		return address[strings.LastIndexByte(address, '@')+1:]
	}
	u, err := url.Parse(contact)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return ""
	}
	return u.Hostname()
}

// reserved are names under which nobody can be reached (RFC 2606, RFC 6761).
var reserved = []string{
	".invalid",
	".example",
	".test",
	".localhost",
	".local",
	".example.com",
	".example.net",
	".example.org",
}

// IsPlaceholderContact tells whether nobody can be reached at a contact: some push
// services refuse pushes that come with one.
func IsPlaceholderContact(contact string) bool {
	domain := strings.ToLower(strings.TrimSuffix(domainOf(contact), "."))
	if loopback.IsHost(domain) || !strings.Contains(domain, ".") {
		return true
	}
	for _, name := range reserved {
		if strings.HasSuffix("."+domain, name) {
			return true
		}
	}
	return false
}
