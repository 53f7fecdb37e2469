using System.Security.Cryptography;
using NUnit.Framework;

namespace Ingot.Bindings.Tests;

/// <summary>The generated bindings belong to the header that they lie beside.</summary>
public class HeaderTests
{
    [Test]
    public void GeneratedBindingsFitTheHeader()
    {
        using Stream header = typeof(HeaderTests).Assembly.GetManifestResourceStream("ingot.h")!;
        string hash = Convert.ToHexStringLower(SHA256.HashData(header))[..16];
        Assert.That($"{NativeConstants.HeaderHash:x16}", Is.EqualTo(hash),
            "native/include/ingot/ingot.h has changed since the bindings were generated. Run: dotnet run --project src/Bindings.Generator");
    }
}
