// Command hello is the program of this example: it shows that it finds the
// certificates, the time zones and its own account.
package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/user"
	"time"
)

func main() {
	if err := hello(); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func hello() error {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		return err
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	fmt.Printf("hello from %s: certificates %v, %s\n", me.Username, !roots.Equal(x509.NewCertPool()), time.Unix(0, 0).In(zone))
	return nil
}
