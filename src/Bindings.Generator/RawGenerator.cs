using CppSharp;
using CppSharp.AST;
using CppSharp.Generators;
using CppSharp.Generators.CSharp;

namespace Ingot.Bindings.Generator;

/// <summary>A CppSharp back end for a plain C ABI: blittable <c>LibraryImport</c> methods, structs and enums, no more.</summary>
internal sealed class RawGenerator(BindingContext context) : CppSharp.Generators.Generator(context)
{
    public static readonly GeneratorKind Kind = new("RawCSharp", "C# without marshalling", typeof(RawGenerator), typeof(CSharpTypePrinter));

    public override bool SetupPasses() => true;

    public override List<CodeGenerator> Generate(IEnumerable<TranslationUnit> units) =>
        [.. units.Select(unit => new RawSource(Context, unit))];
}
