/* A bank with a bug: nobody looks whether there is enough money. */
#include "pvm.h"

struct account {
    uint64_t owner;
    uint64_t balance;
};

static struct account accounts[4];

static __attribute__((noinline)) void set_balance(struct account *account, uint64_t balance) {
    account->balance = balance;
}

static inline uint64_t left(const struct account *account, uint64_t amount) {
    return account->balance - amount;
}

static __attribute__((noinline)) void withdraw(unsigned number, uint64_t amount) {
    struct account *account = &accounts[number];
    set_balance(account, left(account, amount));
}

static __attribute__((noinline)) void fail(struct account *account) {
    if (account->balance != 0) {
        /* Whoever debugs finds the account in a0. */
        register struct account *culprit __asm__("a0") = account;
        __asm__ volatile("unimp" ::"r"(culprit));
    }
}

static __attribute__((noinline)) void audit(void) {
    for (unsigned number = 0; number < 4; number++) {
        if (accounts[number].balance > 1000) {
            fail(&accounts[number]);
        }
    }
}

PVM_IMPORT(uint64_t, amount_of, (uint32_t day), 1, 1)
PVM_EXPORT(run, 1, 1)

uint64_t run(uint64_t days) {
    for (unsigned number = 0; number < 4; number++) {
        set_balance(&accounts[number], 100);
    }
    for (unsigned day = 0; day < days; day++) {
        withdraw(day % 4, amount_of(day));
    }
    audit();
    return accounts[0].balance;
}
