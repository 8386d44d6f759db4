package event

import "strings"

// IsCurrency reports whether s is an active code of ISO 4217 for money in circulation.
func IsCurrency(s string) bool {
	return len(s) == 3 && strings.Contains(currencies, " "+s+" ")
}

// Currencies returns the codes for which IsCurrency is true.
func Currencies() []string { return strings.Fields(currencies) }

// Decimals returns the number of decimals of a currency's amounts, by the minor
// unit of ISO 4217. It returns 2 for an unknown code.
func Decimals(currency string) int {
	switch code := " " + currency + " "; {
	case len(currency) != 3:
		return 2
	case strings.Contains(withoutDecimals, code):
		return 0
	case strings.Contains(withThreeDecimals, code):
		return 3
	}
	return 2
}

// The currencies that do not have two decimals. The source is list one of ISO 4217:2015 as
// of 25 June 2024.
const (
	withoutDecimals   = " BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF "
	withThreeDecimals = " BHD IQD JOD KWD LYD OMR TND "
)

// currencies are the active codes of ISO 4217 for money in circulation.
const currencies = " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP " +
	"BYN BZD " +
	"CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD " +
	"HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD " +
	"MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG " +
	"QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD " +
	"TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
