// Package gate tests the modseal command from the outside, as its users run it: real modules from the module proxy, a real
// Sigstore on loopback, real processes; exit codes, reports and messages are what is looked at. Package faultproxy stands
// before the Rekor of those stories in which it is late, lies or is not there.
//
// Every story has modules, keys and caches of its own, so stories can run at the same time in one log. The log
// lives as long as the test binary runs: a second round (-count=2) would meet the entries of the first.
package gate
