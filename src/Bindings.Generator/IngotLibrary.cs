using CppSharp;
using CppSharp.AST;
using CppSharp.Generators;
using CppSharp.Parser;

namespace Ingot.Bindings.Generator;

/// <summary>Tells CppSharp what to read and where to write.</summary>
internal sealed class IngotLibrary(string repositoryRoot) : ILibrary
{
    public void Setup(Driver driver)
    {
        driver.ParserOptions.LanguageVersion = LanguageVersion.C99;
        DriverOptions options = driver.Options;
        options.GeneratorKind = RawGenerator.Kind;
        options.OutputDir = Path.Combine(repositoryRoot, "src", "Bindings", "Generated");
        options.OutputNewLineType = NewLineType.LF;
        options.GenerateName = _ => "Native";
        Module module = options.AddModule("ingot");
        module.IncludeDirs.Add(Path.Combine(repositoryRoot, "native", "include"));
        module.Headers.Add("ingot/ingot.h");
    }

    public void SetupPasses(Driver driver)
    {
    }

    // CppSharp's passes turn C into an object model (properties, ref parameters, strings). The raw bindings show C as it is.
    public void Preprocess(Driver driver, ASTContext ctx) => driver.Context.TranslationUnitPasses.Passes.Clear();

    public void Postprocess(Driver driver, ASTContext ctx)
    {
    }
}
