"""Who we talk to: one file per outside party, behind the ports of `ports`."""
