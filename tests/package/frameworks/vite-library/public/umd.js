ShopAccounts.visit();
