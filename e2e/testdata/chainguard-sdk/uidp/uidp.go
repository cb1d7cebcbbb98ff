package uidp
