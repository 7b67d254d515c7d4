/* Names of hosts. */
#ifndef PL_HOSTS_H
#define PL_HOSTS_H

/* Whether every name in the list "a,b:4" is this host's; a ":slots" behind a
 * name is passed over. 0, or PL_EARG with a text that begins with `option`. */
int pl_hosts_local(const char *option, const char *list);

#endif
