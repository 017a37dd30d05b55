// Package e2e has tests only: what a user of running programs sees, over HTTP, as the contract and the README say it.
package e2e
