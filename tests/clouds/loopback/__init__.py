"""What the emulators share: HTTP on loopback, faults on demand, the record of calls, settings. It knows no cloud."""
