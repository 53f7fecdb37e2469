using System.Reflection;
using CppSharp;
using Ingot.Bindings.Generator;

// Reads native/include/ingot/ingot.h and writes src/Bindings/Generated. Takes no arguments; see docs/bindings.md.
string root = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>()
    .Single(attribute => attribute.Key == "RepositoryRoot").Value!;
try
{
    return ConsoleDriver.Run(new IngotLibrary(root)) ? 0 : 1;
}
catch (NotSupportedException e)
{
    Console.Error.WriteLine($"ingot.h cannot be bound: {e.Message}");
    return 1;
}
