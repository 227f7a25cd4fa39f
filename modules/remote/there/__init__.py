"""What runs on the other machine, started by ssh: it speaks over its stdin and stdout and opens no port."""
