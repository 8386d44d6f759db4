package push

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"github.com/snd-rental/yardline/broker/loopback"
)

// PlaceholderContact is the contact of an installation whose operator has set none.
const PlaceholderContact = "mailto:nobody@yardline.invalid"

// CheckContact returns an error when a contact is not a mailto or https address
// (RFC 8292, section 2.1). Push services refuse every push with an invalid contact.
func CheckContact(contact string) error {
	if domainOf(contact) == "" {
		return fmt.Errorf(
			"%q is no address: use mailto:you@company.example or https://company.example/contact",
			contact,
		)
	}
	return nil
}

// domainOf returns the domain of a contact. It returns an empty text for an invalid
// contact.
func domainOf(contact string) string {
	if address, ok := strings.CutPrefix(contact, "mailto:"); ok {
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address { // It has a name, brackets or spaces.
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

// reservedDomains lists the domains in which nobody can be reached (RFC 2606, RFC 6761).
var reservedDomains = []string{
	".invalid",
	".example",
	".test",
	".localhost",
	".local",
	".example.com",
	".example.net",
	".example.org",
}

// IsPlaceholderContact tells whether nobody can be reached at a contact. Some push
// services refuse pushes with such a contact.
func IsPlaceholderContact(contact string) bool {
	domain := strings.ToLower(strings.TrimSuffix(domainOf(contact), "."))
	if loopback.IsHost(domain) || !strings.Contains(domain, ".") {
		return true
	}
	for _, name := range reservedDomains {
		if strings.HasSuffix("."+domain, name) {
			return true
		}
	}
	return false
}
