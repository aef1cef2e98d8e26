//! Protected links as parts and strangers meet them, by our own client and by OpenSSL.

mod fixture;
mod listener;
mod openssl;
mod reload;
mod rules;
