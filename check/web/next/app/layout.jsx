export const metadata = {title: 'Fjord trains', icons: 'data:,'};

export default function Layout({children}) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
