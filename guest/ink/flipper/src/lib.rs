//! Flipper in ink!: one bit in storage that any account can flip; two constructors, an event, and an error as a value.
#![cfg_attr(not(feature = "std"), no_std, no_main)]

#[ink::contract]
mod flipper {
    /// The bit, and how often it was turned.
    #[ink(storage)]
    pub struct Flipper {
        value: bool,
        flips: u32,
    }

    /// The bit has another value now.
    #[ink(event)]
    pub struct Flipped {
        /// Caller of the message.
        #[ink(topic)]
        by: Address,
        value: bool,
    }

    /// Errors of the messages.
    #[derive(Debug, PartialEq, Eq)]
    #[ink::scale_derive(Encode, Decode, TypeInfo)]
    pub enum Error {
        /// The value is set already.
        Same,
    }

    impl Flipper {
        /// Begins with a value.
        #[ink(constructor)]
        pub fn new(value: bool) -> Self {
            Self { value, flips: 0 }
        }

        /// Begins with false.
        #[ink(constructor)]
        pub fn new_default() -> Self {
            Self::new(false)
        }

        /// Turns it.
        #[ink(message)]
        pub fn flip(&mut self) {
            self.value = !self.value;
            self.flips = self.flips.saturating_add(1);
            self.env().emit_event(Flipped { by: self.env().caller(), value: self.value });
        }

        /// Gives it a value that it does not have.
        #[ink(message)]
        pub fn set(&mut self, value: bool) -> Result<(), Error> {
            if self.value == value {
                return Err(Error::Same);
            }
            self.flip();
            Ok(())
        }

        /// Its value.
        #[ink(message)]
        pub fn get(&self) -> bool {
            self.value
        }

        /// Number of flips so far.
        #[ink(message)]
        pub fn flips(&self) -> u32 {
            self.flips
        }
    }
}
